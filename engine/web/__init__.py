"""HTTP: DICOMweb (PS3.18), the page, health; bytes move on the event loop, work runs on named executors.

`app.build` → `envelope` (request id, access, error table, metrics) → `routes.ROUTES` → a handler module:
`stow`, `qido`, `wado`, `metadata`, `frames`, `rendered`, `thumbnails`, `bulkdata`, `page`, `health`, `management`
`negotiate`: Accept; `multipart`: both directions; `errors`: the one table from error class to status
"""
