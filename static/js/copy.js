// Shows the copy button of each copy field. Without script one click on the text selects all of it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const text = button.parentElement.querySelector("code, pre");
  const label = button.querySelector("span");
  const words = label.textContent;
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      label.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      label.textContent = "Selected";
    }
    setTimeout(() => { label.textContent = words; }, 2000);
  });
}
