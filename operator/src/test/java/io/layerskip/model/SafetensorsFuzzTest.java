package io.layerskip.model;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.util.List;

/** A safetensors file of any bytes is opened or refused, with little memory. */
class SafetensorsFuzzTest {

    @FuzzTest(maxExecutions = 10_000)
    void opensOrRefuses(byte[] content) throws IOException {
        fuzzerTestOneInput(content);
    }

    /** For runs of any length, from the command line. */
    public static void fuzzerTestOneInput(byte[] content) throws IOException {
        FuzzedFile.read(
                "model.safetensors",
                content,
                file -> {
                    SafetensorsFile opened = SafetensorsFile.open(file);
                    for (String name : opened.names()) {
                        opened.locate(name, List.of(1L));
                    }
                });
    }
}
