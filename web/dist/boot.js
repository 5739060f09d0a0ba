// Before the first paint: the theme and language that were chosen, so that nothing flashes.
(function () {
  try {
    var theme = localStorage.getItem("minke.theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
    var language = localStorage.getItem("minke.language");
    if (language) document.documentElement.lang = language;
  } catch (error) {
    // storage may be forbidden: the system's choices hold then
  }
})();
