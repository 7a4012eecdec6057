package io.gpuquant.device.cuda;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Where cuBLAS is looked for.
 *
 * @param override the file to use and no other, if the user named one
 * @param names the library's names, which the system's search is asked for first and then each folder
 */
@SuppressWarnings("restricted")
record CublasSearch(@Nullable Path override, List<String> names, List<Path> folders) {

    /** The system property that names the library's file. */
    static final String PROPERTY = "gpuquant.cublas";

    /** Newest first: each needs a driver of its own time or later, and says so when it is first used. */
    private static final List<String> NAMES = List.of("libcublas.so.13", "libcublas.so.12", "libcublas.so.11");

    /** A place where the library may be. */
    sealed interface Candidate {

        /** @throws IllegalArgumentException when it is not there or does not load */
        SymbolLookup load();

        /** A name that the system's own search resolves. */
        record Name(String name) implements Candidate {
            @Override
            public SymbolLookup load() {
                return SymbolLookup.libraryLookup(name, Arena.global());
            }

            @Override
            public String toString() {
                return name;
            }
        }

        /** A file. */
        record File(Path path) implements Candidate {
            @Override
            public SymbolLookup load() {
                loadNeighbour();
                return SymbolLookup.libraryLookup(path, Arena.global());
            }

            /** cuBLAS needs libcublasLt, which the system finds in an unusual folder only if it is loaded already. */
            private void loadNeighbour() {
                Path neighbour =
                        path.resolveSibling(path.getFileName().toString().replace("cublas", "cublasLt"));
                if (Files.isRegularFile(neighbour)) {
                    SymbolLookup.libraryLookup(neighbour, Arena.global());
                }
            }

            @Override
            public String toString() {
                return path.toString();
            }
        }
    }

    /** The search of this machine. */
    static CublasSearch ofThisMachine() {
        String override = System.getProperty(PROPERTY);
        List<Path> folders = new ArrayList<>();
        Stream.of("CUDA_HOME", "CUDA_PATH")
                .map(System::getenv)
                .filter(home -> home != null && !home.isBlank())
                .forEach(home -> folders.add(Path.of(home, "lib64")));
        folders.addAll(toolkitFolders(Path.of("/usr/local")));
        folders.add(Path.of("/opt/cuda/lib64"));
        folders.add(Path.of("/usr/lib/x86_64-linux-gnu"));
        folders.addAll(environmentFolders(Objects.requireNonNullElse(System.getenv("PATH"), "")));
        return new CublasSearch(override == null ? null : Path.of(override), NAMES, folders);
    }

    /** The library folders of the toolkits under {@code root}, the newest first. */
    static List<Path> toolkitFolders(Path root) {
        return matching(root, "cuda*").stream()
                .map(toolkit -> toolkit.resolve("lib64"))
                .toList();
    }

    /**
     * The library folders of the Python environments whose programs are on a search path. NVIDIA's wheels, which other
     * people's software brings along, put the library into a folder that no system searches.
     */
    static List<Path> environmentFolders(String searchPath) {
        Set<Path> folders = new LinkedHashSet<>();
        for (String programs : searchPath.split(File.pathSeparator)) {
            Path root = programs.isBlank()
                    ? null
                    : Path.of(programs).toAbsolutePath().getParent();
            if (root == null) {
                continue;
            }
            Path library = root.resolve("lib");
            folders.add(library);
            for (Path python : matching(library, "python3*")) {
                for (String packages : List.of("site-packages", "dist-packages")) {
                    matching(python.resolve(packages).resolve("nvidia"), "*")
                            .forEach(wheel -> folders.add(wheel.resolve("lib")));
                }
            }
        }
        return List.copyOf(folders);
    }

    /** What is in a folder, the last name first; nothing if there is no such folder. */
    private static List<Path> matching(Path folder, String pattern) {
        List<Path> matching = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, pattern)) {
            found.forEach(matching::add);
        } catch (IOException e) {
            return List.of();
        }
        matching.sort(Comparator.reverseOrder());
        return matching;
    }

    /** The places in the order in which they are tried; only files that exist. */
    List<Candidate> candidates() {
        if (override != null) {
            return List.of(new Candidate.File(override));
        }
        List<Candidate> candidates = new ArrayList<>();
        names.forEach(name -> candidates.add(new Candidate.Name(name)));
        for (Path folder : folders) {
            for (String name : names) {
                Path file = folder.resolve(name);
                if (Files.isRegularFile(file)) {
                    candidates.add(new Candidate.File(file));
                }
            }
        }
        return candidates;
    }
}
