/**
 * Chats as the text that a model was trained on: the checkpoint's own chat template, interpreted.
 *
 * <pre>
 * chat_template.jinja, or chat_template in tokenizer_config.json
 *    |  Lexer       tokens: text, tags, names, strings            once, when a checkpoint is opened
 *    |  Parser      an immutable tree of Statements and Expressions; what it does not know, a
 *    |              filter, a test, an argument, is refused here, by its name and place
 *    v
 *  ChatTemplate
 *    |  render      messages, tools, special tokens               for each request
 *    v
 *  MarkedText       which parts the template wrote, and which came with the messages
 *    |  Tokenizer   special tokens only in what the template wrote
 *    v
 *  token ids
 * </pre>
 *
 * <p>The language is the subset of Jinja that chat templates use, as transformers sets it up:
 * {@code trim_blocks}, {@code lstrip_blocks}, break and continue, a {@code tojson} that is {@code
 * json.dumps}, {@code raise_exception}, {@code strftime_now}, and no way to change a list or dict.
 * Values are Python's: {@code Values} lists them. What renders renders as it does there; what would
 * not, is an error and never another text.
 *
 * <p>A {@code Str} knows of each of its characters who wrote it, whatever a template does with it,
 * so a message that holds the text of a special token stays text.
 *
 * <p>Templates and messages are untrusted: {@code Budget} bounds what a rendering may take.
 *
 * <p>Nothing here knows of Flink or Kafka.
 */
package io.layerskip.chat;
