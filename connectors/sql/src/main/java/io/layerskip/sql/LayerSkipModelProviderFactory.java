package io.layerskip.sql;

import static org.apache.flink.configuration.ConfigOptions.key;

import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.api.config.ExecutionConfigOptions;
import org.apache.flink.table.factories.ModelProviderFactory;
import org.apache.flink.table.ml.ModelProvider;

/**
 * Makes {@value #IDENTIFIER} a provider of models in Flink SQL.
 *
 * <pre>{@code
 * CREATE MODEL intents
 *   INPUT (prompt STRING)
 *   OUTPUT (completion STRING, error STRING, prompt_tokens INT, completion_tokens INT)
 *   WITH ('provider' = 'layerskip', 'model.path' = '/models/layerskip-llama3.2-1B');
 * }</pre>
 *
 * <p>Options and columns are checked when a query that uses the model is planned: {@link
 * org.apache.flink.table.api.ValidationException} names what is wrong and what is allowed.
 */
@PublicEvolving
public final class LayerSkipModelProviderFactory implements ModelProviderFactory {

    /** The provider's name in {@code WITH}. */
    public static final String IDENTIFIER = "layerskip";

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        Set<ConfigOption<?>> options = new LinkedHashSet<>(LayerSkipModelOptions.OWN);
        LayerSkipModelOptions.shared()
                .forEach(
                        (name, option) ->
                                options.add(
                                        key(name)
                                                .stringType()
                                                .noDefaultValue()
                                                .withDescription(option.description())));
        return options;
    }

    @Override
    public ModelProvider createModelProvider(Context context) {
        return new LayerSkipModelProvider(
                ModelSettings.from(
                        context.getCatalogModel().getOptions(), context.getClassLoader()),
                ModelColumns.of(context.getCatalogModel()),
                context.getConfiguration()
                        .get(ExecutionConfigOptions.TABLE_EXEC_ASYNC_ML_PREDICT_TIMEOUT));
    }
}
