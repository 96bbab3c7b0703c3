// Shows the fields of a method as soon as it is chosen, as the button does without script.
const button = document.querySelector(".show-fields > .button");
for (const method of document.querySelectorAll("#auth_method [name=auth_method]")) {
  method.addEventListener("change", () => button?.form.requestSubmit(button));
}
// The page comes back at the chosen method, so that arrow keys go on from there; scrolling to it takes the focus away.
addEventListener("load", () => {
  if (location.hash === "#auth_method") document.querySelector("[data-shown]")?.focus({ preventScroll: true });
});
