package io.gpuquant.cli;

import io.gpuquant.UsageException;
import picocli.AutoComplete;
import picocli.CommandLine.Command;

/** The command that all others are part of. */
@Command(
        name = "gpuquant",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        description = "Quantizes Hugging Face checkpoints on an NVIDIA GPU, or without one on a virtual GPU.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            GptqCommand.class,
            AwqCommand.class,
            RtnCommand.class,
            GgufCommand.class,
            ImportanceCommand.class,
            BnbCommand.class,
            Fp8Command.class,
            Int8Command.class,
            Fp4Command.class,
            PerplexityCommand.class,
            CompareCommand.class,
            VerifyCommand.class,
            InspectCommand.class,
            ConvertCommand.class,
            PlanCommand.class,
            DevicesCommand.class,
            SelftestCommand.class,
            BenchCommand.class,
            AutoComplete.GenerateCompletion.class
        },
        footer = {
            "",
            "Exit codes: 0 done, 1 fault of gpuquant itself, 2 wrong usage, 3 bad input, 4 out of resources,",
            "5 verification failed. Shell completion: source <(gpuquant generate-completion)"
        })
final class GpuQuantCommand implements Runnable {

    @Override
    public void run() {
        throw new UsageException("a command is missing; 'gpuquant --help' lists them");
    }
}
