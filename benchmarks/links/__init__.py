"""Links with a rate, a delay and a loss, over which real TCP runs: between network namespaces that are made here and leave with us.

`namespaces` (who is where) → `site`: a server's namespace and links to readers, each `server ─ veth ─ way [tc tbf] ─ TUN ─
forwarder (delay, loss) ─ TUN ─ reader` → `forwarder` compiles and runs `forward.cpp` and reads its account. Needs root and
/dev/net/tun; nothing ever leaves these namespaces: their only addresses are of 127.0.0.0/8.
"""
