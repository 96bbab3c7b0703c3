// Shows what belongs to a choice as soon as it is made, as the button of its group does without script.
const groups = document.querySelectorAll("#auth_method, #oauth-option, #publisher");
for (const group of groups) {
  const button = group.querySelector(".show-fields > .button");
  for (const choice of group.querySelectorAll("input[type=radio]")) {
    choice.addEventListener("change", () => button?.form.requestSubmit(button));
  }
}
// The page comes back at the choice, so that arrow keys go on from there; scrolling to it takes the focus away.
addEventListener("load", () => {
  const group = [...groups].find((one) => location.hash === `#${one.id}`);
  group?.querySelector("[data-shown]")?.focus({ preventScroll: true });
});
