// In place of Node.js' own modules, which OpenJPH's script names and never uses in a browser.
export default {};
