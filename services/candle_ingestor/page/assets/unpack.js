// Columns of numbers, as packing.py writes them.

const NOTHING = 0xffffffff;

/** The bytes of a block of the page. */
async function unpack(name) {
  const text = document.getElementById(name).textContent;
  const zipped = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Columns of `rows` numbers each; NaN stands for null. */
function columnsOf(bytes, rows) {
  const columns = [];
  for (let start = 0; rows && start < bytes.length; start += 4 * rows) {
    const column = new Float64Array(rows);
    for (let i = 0; i < rows; i++) {
      const at = start + i;
      const word =
        bytes[at] +
        bytes[at + rows] * 0x100 +
        bytes[at + 2 * rows] * 0x10000 +
        bytes[at + 3 * rows] * 0x1000000;
      if (word === NOTHING) column[i] = NaN;
      else column[i] = word % 2 ? -(word + 1) / 2 : word / 2;
    }
    columns.push(column);
  }
  return columns;
}
