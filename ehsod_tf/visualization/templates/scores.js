"use strict";
// All sliders of the page move together; boxes below the score are not shown.
const sliders = document.querySelectorAll("input.threshold");
const boxes = document.querySelectorAll(".pair .box[data-score]");
function show(score) {
  for (const box of boxes) {
    box.classList.toggle("off", Number(box.dataset.score) < score);
  }
  for (const slider of sliders) {
    slider.value = score;
    slider.parentElement.querySelector("output").value = Number(score).toFixed(2);
  }
}
for (const slider of sliders) {
  slider.addEventListener("input", () => show(slider.value));
}
