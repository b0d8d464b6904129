package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class TemporaryFileTest {

    @Test
    void goesWithItsUser() throws Exception {
        TemporaryFile file = TemporaryFile.create();
        assertThat(file.path()).exists();

        file.close();

        assertThat(file.path().getParent()).doesNotExist();
    }

    @Test
    void staysWhileItsUserLives() throws Exception {
        try (TemporaryFile file = TemporaryFile.create();
                TemporaryFile another = TemporaryFile.create()) {
            assertThat(file.path()).exists();
            assertThat(another.path()).exists();
        }
    }

    @Test
    void isDeletedOnceAProcessWasKilled() throws Exception {
        Process process = OtherJvm.start(Holder.class);
        Path left = Path.of(process.inputReader().readLine());
        TemporaryFile.create().close();
        assertThat(left).exists();

        process.destroyForcibly().waitFor();

        TemporaryFile.create().close();
        assertThat(left.getParent()).doesNotExist();
    }

    /** Makes a file, prints where, and waits until it is killed. */
    static final class Holder {

        private Holder() {}

        public static void main(String[] none) throws IOException {
            System.out.println(TemporaryFile.create().path());
            while (System.in.read() >= 0) {}
        }
    }
}
