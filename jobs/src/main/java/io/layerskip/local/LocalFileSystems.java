package io.layerskip.local;

import org.apache.flink.configuration.ConfigConstants;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.plugin.PluginUtils;

/**
 * The file systems of a process that is none of Flink's: those that Flink brings itself, and those
 * of a folder of plugins that the environment names, as it does for Flink's own processes.
 */
public final class LocalFileSystems {

    private LocalFileSystems() {}

    /**
     * Takes up the plugins that FLINK_PLUGINS_DIR names, if it is set, with the settings of the
     * config.yaml in FLINK_CONF_DIR, if that is set.
     *
     * @param options overrule the file's, such as s3.endpoint
     */
    public static void initialize(Configuration options) {
        if (System.getenv(ConfigConstants.ENV_FLINK_PLUGINS_DIR) == null) {
            return;
        }
        Configuration settings =
                System.getenv(ConfigConstants.ENV_FLINK_CONF_DIR) == null
                        ? new Configuration(options)
                        : GlobalConfiguration.loadConfiguration(options);
        FileSystem.initialize(settings, PluginUtils.createPluginManagerFromRootFolder(settings));
    }
}
