// A file of arrays for NumPy: a ZIP archive, not compressed, with a .npy member for each array.
// The formats: numpy.org/doc/stable/reference/generated/numpy.lib.format.html and PKWARE's
// APPNOTE.TXT.

const ZIP_VERSION = 20;
const FIRST_OF_1980 = 0x21; // the earliest day that a ZIP archive can name

// `arrays` maps names to { shape, data }, data being a Uint8Array. Gives the bytes of the file.
export function npz(arrays) {
  const members = [];
  const directory = [];
  let place = 0;
  for (const [array, { shape, data }] of Object.entries(arrays)) {
    const name = ascii(`${array}.npy`);
    const content = concatenate([npyHeader(shape), data]);
    // Version, flags, method 0 (stored), time, day, checksum, size stored, size, lengths of name
    // and extra field: the same in front of the member and in the directory.
    const facts = [
      ...[u16(ZIP_VERSION), u16(0), u16(0), u16(0), u16(FIRST_OF_1980), u32(crc32(content))],
      ...[u32(content.length), u32(content.length), u16(name.length), u16(0)],
    ];
    const member = concatenate([ascii("PK\x03\x04"), ...facts, name, content]);
    members.push(member);
    // Made by version; afterwards comment, disk, kinds of attributes, and where the member is.
    const rest = [u16(0), u16(0), u16(0), u32(0), u32(place)];
    directory.push(ascii("PK\x01\x02"), u16(ZIP_VERSION), ...facts, ...rest, name);
    place += member.length;
  }
  const entries = concatenate(directory);
  const count = u16(members.length);
  const end = [ascii("PK\x05\x06"), u16(0), u16(0), count, count];
  return concatenate([...members, entries, ...end, u32(entries.length), u32(place), u16(0)]);
}

// Version 1.0 of the format; spaces fill the header up to a multiple of 64 bytes.
function npyHeader(shape) {
  const tuple = shape.map((length) => `${length},`).join(" ");
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${tuple}), }`;
  const start = 10;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const header = ascii(`${text.padEnd(length - 1)}\n`);
  return concatenate([Uint8Array.of(0x93), ascii("NUMPY\x01\x00"), u16(length), header]);
}

function crc32(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}

function ascii(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

// The lowest byte first.
function u16(value) {
  return Uint8Array.of(value, value >>> 8);
}

function u32(value) {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

function concatenate(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}
