package io.layerskip.forward;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtEnvironment.ThreadingOptions;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession.SessionOptions;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that compute passes: those of the engines themselves, and the workers of one pool
 * that all sessions of the process share.
 *
 * <p>ONNX Runtime would give every session a pool of its own, and a model of 32 layers has 35
 * sessions. The pool has {@code engines x (threads - 1)} workers, so that as many threads compute
 * as the engines' own pools would have had together. A worker helps whatever pass asks for it, so
 * an engine that is alone at work gets those of the others. With one thread an engine there is no
 * pool: its own thread computes all of a pass.
 *
 * @param threads that compute one engine's pass while all engines compute, at least 1
 * @param engines that compute with as many threads in this process, at least 1
 */
@Internal
public record PassThreads(int threads, int engines) {

    private static final Logger LOG = LoggerFactory.getLogger(PassThreads.class);

    /** Threads that all engines' passes are computed by; 1 if each engine computes alone. */
    int together() {
        return threads == 1 ? 1 : Math.multiplyExact(engines, threads);
    }

    /** Makes a session compute with these threads. */
    void configure(SessionOptions session) throws OrtException {
        session.setInterOpNumThreads(1);
        // Between two runs attention is computed, on other threads, which need the cores.
        session.addConfigEntry("session.force_spinning_stop", "1");
        if (threads > 1 && SharedPool.ensure(1 + together() - engines)) {
            session.disablePerSessionThreads();
        } else {
            session.setIntraOpNumThreads(threads);
        }
    }

    /**
     * The pool of ONNX Runtime's environment, of which a process has one. It can be configured only
     * when the environment is made, so the first engine decides. Where that one needed no pool, or
     * another size, as in a process that runs several benchmarks, sessions get pools of their own.
     */
    private static final class SharedPool {

        private static final int NONE = 1;

        /** As ONNX Runtime counts: with whoever asks it for help; 0 until it is known. */
        private static int size;

        private SharedPool() {}

        /** Returns whether there is a pool of that size, which is made if there is none yet. */
        private static synchronized boolean ensure(int wanted) throws OrtException {
            if (size == 0) {
                size = make(wanted) ? wanted : NONE;
            }
            return size == wanted;
        }

        private static boolean make(int wanted) throws OrtException {
            try (ThreadingOptions options = new ThreadingOptions()) {
                options.setGlobalIntraOpNumThreads(wanted);
                options.setGlobalInterOpNumThreads(1);
                return isUsable(
                        OrtEnvironment.getEnvironment(
                                OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING,
                                OrtEnvironment.DEFAULT_NAME,
                                options));
            } catch (IllegalStateException e) {
                // Somebody in this class loader made the environment before, without a pool.
                return false;
            }
        }

        /**
         * Whether sessions can be built over the pool: class loaders share the environment, and the
         * one that made it may have made it without. ONNX Runtime tells nobody but who tries.
         */
        private static boolean isUsable(OrtEnvironment environment) {
            OnnxGraph graph = new OnnxGraph("probe");
            String input = graph.input("input", DataType.FLOAT, 1);
            graph.node(OnnxGraph.ONNX, "Identity", "output", List.of(input));
            graph.output("output", DataType.FLOAT, 1);
            try (SessionOptions options = new SessionOptions()) {
                options.disablePerSessionThreads();
                environment.createSession(graph.toBytes(), options).close();
                return true;
            } catch (OrtException e) {
                LOG.info(
                        "Each session gets threads of its own, there is no pool: {}", e.toString());
                return false;
            }
        }
    }
}
