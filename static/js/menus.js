// A menu that is a <details> closes on Escape and on a click elsewhere.
const close = (except) => {
  for (const menu of document.querySelectorAll("details.popup[open]")) if (!menu.contains(except)) menu.open = false;
};
document.addEventListener("click", (event) => close(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest("details.popup[open]");
  close(null);
  menu?.querySelector("summary").focus();
});
