/** MongoDB's wire protocol, as far as a proxy has to read it: whole messages, and the command in an OP_MSG. */
import { BSON, type Document } from "mongodb";

/** Bytes of a message's header: length, id, id that is answered, kind. */
const HEADER = 16;
const OP_MSG = 2013;
/** A section that is a document, and one that is a sequence of documents. */
const BODY = 0;
const SEQUENCE = 1;
/** Flags of an OP_MSG: a checksum follows, and no answer is wanted. */
const CHECKSUM_PRESENT = 1;
const MORE_TO_COME = 2;
/** Largest message that a server takes. */
const LARGEST = 48_000_000;

/** Cuts a stream of bytes into messages. */
export class Framer {
  private held: Buffer = Buffer.alloc(0);

  /**
   * Takes what came.
   *
   * @returns the messages that are whole now
   * @throws Error when a length cannot be
   */
  push(chunk: Buffer): Buffer[] {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    const messages: Buffer[] = [];
    while (this.held.length >= 4) {
      const length = this.held.readInt32LE(0);
      if (length < HEADER || length > LARGEST) {
        throw new Error(`a message of ${length} bytes`);
      }
      if (this.held.length < length) {
        break;
      }
      messages.push(this.held.subarray(0, length));
      this.held = this.held.subarray(length);
    }
    return messages;
  }
}

/** A command, with the id to answer. */
export interface Command {
  readonly requestId: number;
  /** Its name: the first field of its document. */
  readonly name: string;
  /** The whole document, with its sequences as lists. */
  read(): Document;
}

/** The command of a message; undefined for one of another kind, and for one that wants no answer. */
export function commandOf(message: Buffer): Command | undefined {
  if (message.readInt32LE(12) !== OP_MSG || (message.readUInt32LE(HEADER) & MORE_TO_COME) !== 0) {
    return undefined;
  }
  const body = bodyOf(message);
  // The document's length, then a type, then the name.
  const end = body.indexOf(0, 5);
  return {
    requestId: message.readInt32LE(4),
    name: body.toString("utf8", 5, end),
    read: () => ({ ...BSON.deserialize(body, { promoteValues: true }), ...sequencesOf(message) }),
  };
}

/** A message that answers another one. */
export function replyTo(requestId: number, document: Document): Buffer {
  return messageOf(0, requestId, document);
}

/** A message with a command, in the place of one that came. */
export function requestOf(requestId: number, document: Document): Buffer {
  return messageOf(requestId, 0, document);
}

function messageOf(requestId: number, responseTo: number, document: Document): Buffer {
  const body = Buffer.from(BSON.serialize(document));
  const message = Buffer.alloc(HEADER + 5);
  message.writeInt32LE(message.length + body.length, 0);
  message.writeInt32LE(requestId, 4);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([message, body]);
}

function bodyOf(message: Buffer): Buffer {
  for (const { kind, content } of sectionsOf(message)) {
    if (kind === BODY) {
      return content;
    }
  }
  throw new Error("an OP_MSG without a body");
}

function sequencesOf(message: Buffer): Document {
  const sequences: Document = {};
  for (const { kind, content } of sectionsOf(message)) {
    if (kind === SEQUENCE) {
      const end = content.indexOf(0, 4);
      const documents: Document[] = [];
      for (let offset = end + 1; offset < content.length; ) {
        const size = content.readInt32LE(offset);
        documents.push(BSON.deserialize(content.subarray(offset, offset + size)));
        offset += size;
      }
      sequences[content.toString("utf8", 4, end)] = documents;
    }
  }
  return sequences;
}

function* sectionsOf(message: Buffer): Generator<{ readonly kind: number; readonly content: Buffer }> {
  const checksum = (message.readUInt32LE(HEADER) & CHECKSUM_PRESENT) !== 0 ? 4 : 0;
  let offset = HEADER + 4;
  while (offset < message.length - checksum) {
    const kind = message.readUInt8(offset);
    const size = message.readInt32LE(offset + 1);
    yield { kind, content: message.subarray(offset + 1, offset + 1 + size) };
    offset += 1 + size;
  }
}
