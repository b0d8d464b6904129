package io.layerskip.forward;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * One user's runs of a session, which others may run at the same time, with what they read and
 * write; the maps are filled again for each run. Not thread-safe.
 */
final class SessionRun {

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
}
