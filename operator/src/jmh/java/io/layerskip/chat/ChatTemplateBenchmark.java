package io.layerskip.chat;

import io.layerskip.model.ChatSettings;
import io.layerskip.model.MarkedText;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** From messages to the text of a prompt, on one thread. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@State(Scope.Benchmark)
public class ChatTemplateBenchmark {

    private static final String TEMPLATE =
            """
            {{- bos_token }}
            {%- set ns = namespace(last_user=-1) %}
            {%- for m in messages if m.role == 'user' %}{% set ns.last_user = loop.index0 %}{% endfor %}
            {%- for message in messages %}
                {%- if message.role not in ['system', 'user', 'assistant'] %}
                    {{- raise_exception('Unknown role ' ~ message.role) }}
                {%- endif %}
                {%- set content = message.content | trim %}
                {%- if message.role == 'assistant' and '</think>' in content %}
                    {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
                {%- endif %}
                {{- '<|start|>' + message.role + '\\n' + content + '<|end|>\\n' }}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '<|start|>assistant\\n' }}
            {%- endif %}
            """;

    private final ChatFormat format =
            ChatFormat.of(
                    Optional.of(
                            new ChatSettings(
                                    ChatSettings.TEMPLATE_FILE,
                                    Map.of(ChatSettings.DEFAULT, TEMPLATE),
                                    Map.of("bos_token", "<s>"),
                                    List.of())));

    private final Chat chat =
            Chat.of(
                    List.of(
                            new ChatMessage("system", "Answer in one word."),
                            new ChatMessage("user", "What is the capital of France?"),
                            new ChatMessage("assistant", "<think>\nEasy.\n</think>\n\nParis"),
                            new ChatMessage("user", "And what is that of Spain? ".repeat(20))),
                    Instant.EPOCH);

    @Benchmark
    public MarkedText render() throws ChatRenderingException {
        return format.render(chat);
    }
}
