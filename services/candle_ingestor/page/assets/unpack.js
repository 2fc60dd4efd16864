// Columns of numbers, as packing.py writes them.

const NOTHING = 0xffffffff;

const DIGITS =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%/()*+-;,=.?@^_`{|}~";
const VALUES = new Uint8Array(128);
[...DIGITS].forEach((digit, value) => (VALUES[digit.charCodeAt(0)] = value));

/** Bytes out of base 85: five digits are four bytes, and the last few digits one byte less. */
function bytesOf(text) {
  const bytes = new DataView(new ArrayBuffer(Math.ceil(text.length / 5) * 4));
  for (let group = 0; 5 * group < text.length; group++) {
    let number = 0;
    for (let i = 5 * group; i < 5 * group + 5; i++) {
      number = number * 85 + (i < text.length ? VALUES[text.charCodeAt(i)] : 84);
    }
    bytes.setUint32(4 * group, number);
  }
  return new Uint8Array(bytes.buffer, 0, Math.floor((text.length * 4) / 5));
}

/** The bytes of a block of the page. */
async function unpack(name) {
  const zipped = bytesOf(document.getElementById(name).textContent);
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
