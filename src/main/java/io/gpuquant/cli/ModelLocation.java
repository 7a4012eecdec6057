package io.gpuquant.cli;

import io.gpuquant.hub.Hub;
import io.gpuquant.hub.HubSettings;
import io.gpuquant.hub.ModelReference;
import io.gpuquant.model.ModelConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;

/** Where the models that a command line names are: a folder of that path, or a model on the hub by its name. */
final class ModelLocation {

    /** How a parameter that names a model is described. */
    static final String DESCRIPTION = "The folder of a checkpoint, or a model by its name on the Hugging Face hub,"
            + " ORG/NAME or ORG/NAME@REVISION with a branch, tag or commit. A folder of that path wins. A model is looked"
            + " for in the cache that Hugging Face's tools keep and downloaded into it; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT,"
            + " HF_TOKEN and HF_HUB_OFFLINE mean what they mean there.";

    private ModelLocation() {}

    /**
     * The folder of a model, which is downloaded if it is not here.
     *
     * @param command shows how that goes on, unless it is told to be quiet
     * @throws io.gpuquant.InputException when there is no such model on the hub; a path that cannot be the name of one is
     *     given back as it is, whether something is there or not
     */
    static Path folder(CommandSpec command, Path named, Hub.Parts parts) {
        Optional<ModelReference> model = onHub(named);
        if (model.isEmpty()) {
            return named;
        }
        HubSettings settings = HubSettings.of(System.getenv(), Path.of(System.getProperty("user.home")));
        try (DownloadDisplay display = new DownloadDisplay(command.commandLine().getErr(), isQuiet(command))) {
            return new Hub(settings, display).folderOf(model.get(), parts);
        }
    }

    /** The folder of a model with its weights, of whatever kind it is. */
    static Path folder(CommandSpec command, Path named) {
        return folder(command, named, Hub.Parts.EVERYTHING);
    }

    /**
     * The folder of a model with its weights; one that cannot be computed with is refused before they are downloaded.
     *
     * @throws io.gpuquant.InputException also when the model is of a family that is not supported
     */
    static Path supported(CommandSpec command, Path named) {
        ModelConfig.read(folder(command, named, Hub.Parts.CONFIGURATION));
        return folder(command, named);
    }

    /** The model that is meant, if it is not a folder here. */
    static Optional<ModelReference> onHub(Path named) {
        return Files.exists(named) ? Optional.empty() : ModelReference.parse(named.toString());
    }

    private static boolean isQuiet(CommandSpec command) {
        var quiet = command.findOption("--quiet");
        return quiet != null && Boolean.TRUE.equals(quiet.getValue());
    }
}
