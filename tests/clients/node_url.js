// Node's "url" for a page: an XML library far below cornerstone3D asks for it when it is loaded.
export const URL = globalThis.URL;
export const domainToASCII = (domain) => new globalThis.URL(`http://${domain}`).hostname;
export const domainToUnicode = (domain) => domain;
