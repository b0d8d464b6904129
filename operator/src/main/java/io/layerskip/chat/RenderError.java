package io.layerskip.chat;

/** Ends a rendering; {@link ChatTemplate#render} makes a {@link ChatRenderingException} of it. */
final class RenderError extends RuntimeException {

    private static final long serialVersionUID = 1;

    RenderError(String message) {
        super(message, null, false, false);
    }
}
