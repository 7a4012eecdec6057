package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script that starts the program, with scripts in place of Java that print what they are given. */
class LauncherTest {

    @TempDir
    Path folder;

    private Path home;

    @BeforeEach
    void installsProgramWithoutRuntime() throws IOException {
        home = folder.resolve("a program");
        Files.createDirectories(home.resolve("bin"));
        Files.createDirectories(home.resolve("lib"));
        Files.copy(Path.of("src/main/launcher/gpuquant"), home.resolve("bin/gpuquant"));
        for (String jar : List.of("jline-3.jar", "gpuquant-1.jar", "jackson-2.jar")) {
            Files.createFile(home.resolve("lib").resolve(jar));
        }
        java(folder.resolve("jdk"), "JAVA_HOME", 25);
    }

    @Test
    void runtimeBesideTheProgramComesBeforeEveryOther() throws Exception {
        java(home.resolve("runtime"), "its own", 1);

        assertThat(start(home.resolve("bin/gpuquant"), "inspect", "a model"))
                .startsWith("its own")
                .endsWith("inspect", "a model")
                .contains("io.gpuquant.cli.Main")
                .noneMatch(argument -> argument.contains("AOTCache"));
    }

    @Test
    void withoutOneAnotherRecentJavaIsTaken() throws Exception {
        assertThat(start(home.resolve("bin/gpuquant"), "--version")).startsWith("JAVA_HOME");
    }

    @Test
    void programIsFoundThroughLinks() throws Exception {
        java(home.resolve("runtime"), "its own", 25);
        Path link = Files.createSymbolicLink(folder.resolve("gpuquant"), Path.of("a program/bin/gpuquant"));

        assertThat(start(link, "--version")).startsWith("its own");
    }

    /** The cache of classes fits only the class path that it was made with. */
    @Test
    void jarsAreInOrderAndTheCacheIsUsedWhereItIs() throws Exception {
        java(home.resolve("runtime"), "its own", 25);
        Path cache = Files.createFile(
                Files.createDirectories(home.resolve("runtime/lib")).resolve("gpuquant.aot"));

        List<String> arguments = start(home.resolve("bin/gpuquant"));

        assertThat(arguments).contains("-XX:AOTCache=" + cache);
        Path lib = home.resolve("lib");
        assertThat(arguments.get(arguments.indexOf("-cp") + 1))
                .isEqualTo(lib + "/gpuquant-1.jar:" + lib + "/jackson-2.jar:" + lib + "/jline-3.jar");
    }

    /** A script that says who it is and what it was given, line by line; asked for its version, that. */
    private static void java(Path home, String name, int version) throws IOException {
        Path java = Files.createDirectories(home.resolve("bin")).resolve("java");
        Files.writeString(
                java,
                "#!/bin/sh\n[ \"$1\" != -version ] || { echo 'openjdk version \"" + version + ".0.1\"'; exit; }\n"
                        + "printf '%s\\n' '" + name + "' \"$@\"\n");
        assertThat(java.toFile().setExecutable(true)).isTrue();
    }

    private List<String> start(Path launcher, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("sh", launcher.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("JAVA_HOME", folder.resolve("jdk").toString());
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(said).isZero();
        return said.lines().toList();
    }
}
