package io.layerskip.tests.cluster;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** A port of this machine that leads to another one, as fast as is wanted, and counts. */
final class SlowLink implements AutoCloseable {

    private static final int BUFFER_BYTES = 16 << 10;
    private static final long NANOS = 1_000_000_000;
    private static final long POLL_MILLIS = 10;

    private final ServerSocket server;
    private final InetSocketAddress target;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicLong received = new AtomicLong();
    private volatile long bytesPerSecond;

    private SlowLink(ServerSocket server, InetSocketAddress target, long bytesPerSecond) {
        this.server = server;
        this.target = target;
        this.bytesPerSecond = bytesPerSecond;
    }

    /** A link to a port of this machine, as fast as it goes. */
    static SlowLink to(int port) throws IOException {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        SlowLink link =
                new SlowLink(
                        new ServerSocket(0, 0, loopback),
                        new InetSocketAddress(loopback, port),
                        Long.MAX_VALUE);
        thread(link::accept);
        return link;
    }

    int port() {
        return server.getLocalPort();
    }

    /**
     * @param bytesPerSecond of each connection from now on; 0 for none at all
     */
    void limit(long bytesPerSecond) {
        this.bytesPerSecond = bytesPerSecond;
    }

    /** All bytes that came from the other side. */
    long received() {
        return received.get();
    }

    private static void thread(Runnable work) {
        Thread thread = new Thread(work, "slow-link");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                sockets.add(client);
                Socket upstream = new Socket();
                sockets.add(upstream);
                upstream.connect(target);
                thread(() -> copy(client, upstream, false));
                thread(() -> copy(upstream, client, true));
            }
        } catch (IOException e) {
            if (!server.isClosed()) {
                throw new IllegalStateException("the link broke", e);
            }
        }
    }

    private void copy(Socket from, Socket to, boolean limited) {
        byte[] buffer = new byte[BUFFER_BYTES];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                if (limited) {
                    delay(read);
                    received.addAndGet(read);
                }
                out.write(buffer, 0, read);
            }
        } catch (SocketException e) {
            // One of both sides has gone, and so does the other.
        } catch (IOException e) {
            throw new IllegalStateException("the link broke", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void delay(int bytes) throws InterruptedException {
        while (bytesPerSecond == 0 && !server.isClosed()) {
            Thread.sleep(POLL_MILLIS);
        }
        long speed = bytesPerSecond;
        if (speed > 0 && speed < Long.MAX_VALUE) {
            long nanos = bytes * NANOS / speed;
            Thread.sleep(nanos / 1_000_000, (int) (nanos % 1_000_000));
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }
}
