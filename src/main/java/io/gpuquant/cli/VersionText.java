package io.gpuquant.cli;

import io.gpuquant.Version;
import picocli.CommandLine;

/** What {@code --version} prints. */
final class VersionText implements CommandLine.IVersionProvider {

    @Override
    public String[] getVersion() {
        return new String[] {"gpuquant " + Version.number() + " (Java " + Runtime.version() + ")"};
    }
}
