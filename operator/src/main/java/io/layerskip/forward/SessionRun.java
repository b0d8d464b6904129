package io.layerskip.forward;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * A session with what it reads and writes; the maps are filled again for each run. Not thread-safe.
 */
final class SessionRun implements AutoCloseable {

    private final OrtSession session;
    private final Map<String, OnnxTensor> inputs = new HashMap<>();
    private final Map<String, OnnxTensor> outputs = new HashMap<>();

    SessionRun(OrtSession session) {
        this.session = session;
    }

    SessionRun input(String name, OnnxTensor tensor) {
        inputs.put(name, tensor);
        return this;
    }

    SessionRun output(String name, OnnxTensor tensor) {
        outputs.put(name, tensor);
        return this;
    }

    void run() {
        try {
            session.run(inputs, Set.of(), outputs).close();
        } catch (OrtException e) {
            throw new ForwardException("a pass failed: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new ForwardException("cannot free a session: " + e.getMessage(), e);
        }
    }
}
