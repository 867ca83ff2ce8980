/**
 * Classes of characters as Hugging Face's tokenizers see them. Their libraries know other versions of Unicode than this runtime, one of them
 * version 9, so each class is the runtime's with its differences. scripts/fixtures/reference-parts.py finds them: its cases are a test over all
 * code points.
 */

/** Turns `1a2b 1c-1f` into the inside of a character class. */
const inClass = (ranges: string) => ranges.replace(/[0-9a-f]+/g, (code) => `\\u{${code}}`).replaceAll(" ", "");

/** Characters of white space. */
export const space = "\\p{White_Space}";

const newerPunctuation = inClass(
  "61d 9fd a76 c77 c84 1b4e-1b4f 1b7d-1b7f 2e43-2e4f 2e52-2e5d 10d6e 10ead 10ed0 10f55-10f59 10f86-10f89 113d4-113d5 113d7-113d8 " +
    "1144b-1144f 1145a-1145b 1145d 11660-1166c 116b9 1183b 11944-11946 119e2 11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 " +
    "11c41-11c45 11c70-11c71 11ef7-11ef8 11f43-11f4f 11fff 12ff1-12ff2 16d6d-16d6f 16e97-16e9a 16fe2 1e5ff 1e95e-1e95f",
);
/** Punctuation, with the symbols of ASCII. */
export const punctuation = `[[\\p{P}!-\\/:-@\\[-\`\\{-~${inClass("166d 111c9")}]--[${newerPunctuation}]]`;

/** Control characters that BERT's normaliser removes, besides white space. */
export const control = `[[\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}\\u{fffd}]--[\\t\\n\\r${inClass("890-891 8e2 110cd 13430-1343f")}]]`;

/** Characters around which BERT's normaliser sets spaces. */
export const chinese = `[${inClass("3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b81f 2b920-2ceaf 2f800-2fa1f")}]`;

const newerMarks =
  "7fd 897-89f 8ca-8d3 9fe afa-aff b55 c04 c3c d00 d3b-d3c d81 eba ece 180f 1abf-1add 1ae0-1aeb a82c a8ff 10d24-10d27 10d69-10d6d " +
  "10eab-10eac 10efa-10eff 10f46-10f50 10f82-10f85 11070 11073-11074 110c2 111c9 111cf 11241 1133b 113ce 113d0 113d2 113e1-113e2 1145e " +
  "11839-1183a 1193b-1193c 1193e 11943 119d4-119d7 119da-119db 119e0 11a01-11a0a 11a33-11a38 11a3b-11a3e 11a47 11a51-11a56 11a59-11a5b " +
  "11a8a-11a96 11a98-11a99 11b60 11b62-11b64 11b66 11d31-11d36 11d3a 11d3c-11d3d 11d3f-11d45 11d47 11d90-11d91 11d95 11d97 11ef3-11ef4 " +
  "11f00-11f01 11f36-11f3a 11f40 11f42 11f5a 13440 13447-13455 1611e-16129 1612d-1612f 16f4f 16fe4 1cf00-1cf2d 1cf30-1cf46 1e08f " +
  "1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 1e6ee-1e6ef 1e6f5";
/** Marks that BERT's normaliser removes as accents. */
export const accent = `[[\\p{Mn}${inClass("1734 1171e")}]--[${inClass(
  `${newerMarks} 8d4-8e1 1885-1886 1df6-1dfb a8c5 a9bd 1123e 113bb-113c0 11438-1143f 11442-11444 11446 1182f-11837 11c30-11c36 ` +
    "11c38-11c3d 11c3f 11c92-11ca7 11caa-11cb0 11cb2-11cb3 11cb5-11cb6 1e000-1e006 1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a " +
    "1e944-1e94a",
)}]]`;
/** Marks that the normaliser StripAccents removes. */
export const mark = `[[\\p{M}${inClass("1cf2-1cf3")}]--[${inClass(
  `${newerMarks} cf3 1715 1cf7 1df6-1dfa 11145-11146 111ce 113b8-113c0 113c2 113c5 113c7-113ca 113cc-113cf 1182c-11838 11930-11935 ` +
    "11937-11938 1193d 11940 11942 119d1-119d3 119dc-119df 119e4 11a39 11a57-11a58 11a97 11b61 11b65 11b67 11d8a-11d8e 11d93-11d94 " +
    "11d96 11ef5-11ef6 11f03 11f34-11f35 11f3e-11f3f 11f41 1612a-1612c 16f7f-16f87 16ff0-16ff1",
)}]]`;

/** Characters that the reference's Unicode normalisation leaves alone and this runtime's changes or reorders. */
export const unnormalised = `[${inClass(
  "7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1add 1ae0-1aeb 1df6-1dfa 32ff a7f1-a7f4 a82c ab69 105c9 105e4 10781-10785 10787-107b0 " +
    "107b2-107ba 10d24-10d27 10d69-10d6d 10eab-10eac 10efa-10efb 10efd-10eff 10f46-10f50 10f82-10f85 11070 1133b 11383 11385 1138e 11391 " +
    "113c5 113c7-113c8 113ce-113d0 1145e 11839-1183a 11938 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42 11d44-11d45 11d97 11f41-11f42 " +
    "16121-16128 1612f 16d68-16d6a 16ff0-16ff1 1ccd6-1ccf9 1e030-1e06d 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 " +
    "1e6e6 1e6ee-1e6ef 1e6f5 1f16c 1fbf0-1fbf9",
)}]`;

/** Characters that the reference's regular expressions don't know as letters, digits, marks or punctuation yet. */
export const unassigned = `[${inClass(
  "88f c5c cdc 1acf-1add 1ae0-1aeb a7ce-a7cf a7d2 a7d4 a7f1 10940-10959 10ec5-10ec7 10ed0 10efa-10efb 11b60-11b67 11db0-11ddb 11de0-11de9 " +
    "16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 187f8-187ff 18d09-18d1e 18d80-18df2 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 2b73a-2b73f 2cea2-2cead " +
    "323b0-33479",
)}]`;
