// Runs before the first paint, so that a remembered theme and direction don't flash the other one.
try {
  const theme = localStorage.getItem("tallyboard.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("tallyboard.language");
  if (/^(en|es|de|ar)$/.test(language)) document.documentElement.lang = language;
  if (language === "ar") document.documentElement.dir = "rtl";
} catch {
  // Storage is closed to us: the system's preference decides.
}
