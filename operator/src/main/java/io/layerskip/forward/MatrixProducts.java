package io.layerskip.forward;

import java.util.List;

/** Writes matrix products into a graph, in some precision. */
interface MatrixProducts {

    /**
     * Adds input x transposed matrix.
     *
     * @param input [1, tokens, in]
     * @param parts names of checkpoint tensors [out, in]; several are stacked
     * @param output name for the result [1, tokens, sum of out]
     * @return {@code output}
     */
    String multiply(OnnxGraph graph, String input, List<String> parts, String output);
}
