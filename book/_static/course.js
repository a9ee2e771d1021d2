// What the markup of the theme and of docutils keeps from those who listen to a page.
document.addEventListener("DOMContentLoaded", () => {
  // A box of a list of tasks has the words beside it as its name.
  for (const box of document.querySelectorAll(".task-list-item-checkbox")) {
    box.setAttribute("aria-label", box.parentElement.textContent.trim());
  }
  // A list consists of items; "doc-biblioentry" is no longer one.
  for (const entry of document.querySelectorAll("[role=list] > [role=doc-biblioentry]")) {
    entry.setAttribute("role", "listitem");
  }
});
