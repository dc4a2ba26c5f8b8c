/** English texts and their translations; Python writes them here if the reader has another language. */

export default {};
