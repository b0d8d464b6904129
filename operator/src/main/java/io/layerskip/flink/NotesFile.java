package io.layerskip.flink;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalInt;

/**
 * A file with the requests that one engine works on.
 *
 * <pre>
 *   0  8 bytes   LSNOTES1
 *   8  1 byte    1 once the engine has broken, and a request may be to blame; else 0
 *   9  slots of 33 bytes, at most {@value #MOST_SLOTS}:
 *        1 byte    0 free, 1 under way, 2 under way alone
 *        32 bytes  the request's key, a SHA-256
 * </pre>
 *
 * <p>Nothing is forced to the disk: what a process has written is there when it is killed, and
 * losing notes when the machine goes down costs nothing but a further try. An interrupted thread
 * writes like any other, which it would not do with a channel. Not thread-safe.
 */
final class NotesFile implements AutoCloseable {

    /** Further requests under way are not noted. */
    static final int MOST_SLOTS = 1024;

    private static final byte[] MAGIC = "LSNOTES1".getBytes(StandardCharsets.US_ASCII);
    private static final int BROKEN_AT = MAGIC.length;
    private static final int SLOTS_AT = BROKEN_AT + 1;
    private static final int KEY_BYTES = 32;
    private static final int SLOT_BYTES = 1 + KEY_BYTES;

    private static final byte FREE = 0;
    private static final byte UNDER_WAY = 1;
    private static final byte ALONE = 2;

    private final Path path;
    private final RandomAccessFile file;
    private final BitSet used = new BitSet();

    /**
     * What a file holds.
     *
     * @param broken whether its engine broke
     */
    record Content(boolean broken, List<Note> notes) {}

    /**
     * A request under way.
     *
     * @param key 64 hexadecimal digits
     */
    record Note(int slot, String key, boolean alone) {}

    /** A new file. */
    NotesFile(Path path) throws IOException {
        this.path = path;
        // Others may look at it as soon as it has its name.
        Path unnamed = path.resolveSibling(path.getFileName() + ".tmp");
        Files.write(unnamed, Arrays.copyOf(MAGIC, SLOTS_AT));
        Files.move(unnamed, path, StandardCopyOption.ATOMIC_MOVE);
        this.file = new RandomAccessFile(path.toFile(), "rw");
    }

    Path path() {
        return path;
    }

    /**
     * Notes a request.
     *
     * @param key 64 hexadecimal digits
     * @return its slot; empty if there is none left
     */
    OptionalInt add(String key, boolean alone) throws IOException {
        int slot = used.nextClearBit(0);
        if (slot == MOST_SLOTS) {
            return OptionalInt.empty();
        }
        ByteBuffer note = ByteBuffer.allocate(SLOT_BYTES);
        note.put(alone ? ALONE : UNDER_WAY).put(HexFormat.of().parseHex(key));
        file.seek(position(slot));
        file.write(note.array());
        used.set(slot);
        return OptionalInt.of(slot);
    }

    /** Takes a note back. */
    void remove(int slot) throws IOException {
        file.seek(position(slot));
        file.write(FREE);
        used.clear(slot);
    }

    /** Notes that the engine broke. */
    void setBroken() throws IOException {
        file.seek(BROKEN_AT);
        file.write(1);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    private static long position(int slot) {
        return SLOTS_AT + (long) slot * SLOT_BYTES;
    }

    /** Takes a note back in a file that nobody writes any more. */
    static void remove(Path path, int slot) throws IOException {
        // A file that is gone must not come back.
        try (FileChannel old = FileChannel.open(path, StandardOpenOption.WRITE)) {
            old.write(ByteBuffer.wrap(new byte[] {FREE}), position(slot));
        }
    }

    /**
     * Reads a file.
     *
     * @throws IOException also if it is none of these; says what is wrong
     */
    static Content read(Path path) throws IOException {
        long size = Files.size(path);
        if (size < SLOTS_AT || size > position(MOST_SLOTS)) {
            throw new IOException("it has %d bytes".formatted(size));
        }
        try (DataInputStream input = new DataInputStream(Files.newInputStream(path))) {
            if (!Arrays.equals(input.readNBytes(MAGIC.length), MAGIC)) {
                throw new IOException("it does not start with LSNOTES1");
            }
            boolean broken = flag(input.readByte());
            List<Note> notes = new ArrayList<>();
            int slots = (int) ((size - SLOTS_AT) / SLOT_BYTES);
            for (int slot = 0; slot < slots; slot++) {
                byte state = input.readByte();
                byte[] key = input.readNBytes(KEY_BYTES);
                if (state < FREE || state > ALONE || key.length < KEY_BYTES) {
                    throw new IOException("slot %d has state %d".formatted(slot, state));
                }
                if (state != FREE) {
                    notes.add(new Note(slot, HexFormat.of().formatHex(key), state == ALONE));
                }
            }
            return new Content(broken, notes);
        } catch (EOFException e) {
            throw new IOException("it ends too early", e);
        }
    }

    private static boolean flag(byte value) throws IOException {
        if (value != 0 && value != 1) {
            throw new IOException("byte %d is %d".formatted(BROKEN_AT, value));
        }
        return value == 1;
    }
}
