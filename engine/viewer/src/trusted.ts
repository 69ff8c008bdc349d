// What may become a script (Trusted Types): the page's own files as workers, and no text at all. The policy of engine/web/page.py asks
// for it; a browser that does not know it has the rest of that policy.

interface PolicyRules {
  createScriptURL(address: string): string;
}

const factory = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: PolicyRules): unknown } }).trustedTypes;

/** Once, before the first worker. Whatever is not named here (markup, scripts as text) has no way in, and is refused by the browser. */
export function trustOwnFiles(): void {
  factory?.createPolicy("default", { createScriptURL: ownFile });
}

/** The address of one of the page's files; throws for any other. */
export function ownFile(address: string): string {
  const url = new URL(address, location.href);
  if (url.origin !== location.origin || !url.pathname.startsWith("/static/")) throw new TypeError(`no script of this page: ${url.origin}${url.pathname}`);
  return url.href;
}
