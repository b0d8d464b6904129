package io.layerskip.cli;

import java.util.Optional;
import picocli.CommandLine.IVersionProvider;

/** The version that the jar's manifest gives. */
final class Version implements IVersionProvider {

    @Override
    public String[] getVersion() {
        return new String[] {
            "flink-layerskip "
                    + Optional.ofNullable(Version.class.getPackage().getImplementationVersion())
                            .orElse("(not packaged)")
        };
    }
}
