// A page that comes back with errors is read from their summary.
document.querySelector(".error-summary")?.focus();
