// Before the first paint: the theme and language that were chosen, so that nothing flashes.
(function () {
  var root = document.documentElement;
  root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  try {
    var theme = localStorage.getItem("minke.theme");
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
    var language = localStorage.getItem("minke.language");
    if (language) root.lang = language;
  } catch (error) {
    // storage may be forbidden: the system's choices hold then
  }
})();
