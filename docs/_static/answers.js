// One button opens all answers of a page, or closes them.

const answers = [...document.querySelectorAll("details.prediction")];
const button = document.querySelector(".show-answers button");

function label() {
  const open = answers.every((answer) => answer.open);
  button.textContent = `${open ? "Hide" : "Show"} all ${answers.length} answers`;
}

button?.addEventListener("click", () => {
  const open = !answers.every((answer) => answer.open);
  for (const answer of answers) answer.open = open;
});
for (const answer of answers) answer.addEventListener("toggle", label);
