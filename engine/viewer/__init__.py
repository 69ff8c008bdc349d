"""The page, asking this server alone: `dist` is built from `src`, `plain` needs no build; `engine.web.page` serves both."""
