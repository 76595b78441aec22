// Runs before the first paint, so that a remembered theme doesn't flash the other one.
try {
  const theme = localStorage.getItem("tallyboard.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed to us: the system's preference decides.
}
