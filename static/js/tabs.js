// On a phone the tabs scroll sideways: begin where the current one is seen.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) tab.scrollIntoView({ block: "nearest", inline: "center" });
