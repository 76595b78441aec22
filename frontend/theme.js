// Runs before the first paint, so that a remembered theme, language and direction don't flash another one.
let remembered = {};
try {
  remembered = { theme: localStorage.getItem("tallyboard.theme"), language: localStorage.getItem("tallyboard.language") };
} catch {
  // Storage is closed to us: the system's preferences decide.
}
if (remembered.theme === "light" || remembered.theme === "dark") document.documentElement.dataset.theme = remembered.theme;
// The same choice as that of the program that follows: what is remembered, else the browser's first language.
const language = [remembered.language, (navigator.language || "").split("-")[0]].find((code) => /^(en|es|de|ar)$/.test(code));
if (language) document.documentElement.lang = language;
if (language === "ar") document.documentElement.dir = "rtl";
