package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeElement;
import java.lang.classfile.instruction.InvokeInstruction;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import org.junit.jupiter.api.Test;

/** The driver's functions that are checked before use are the ones that are used. */
class DriverSymbolsTest {

    @Test
    void everyFunctionThatIsCalledIsCheckedAndNoOther() throws Exception {
        Set<String> checked = new TreeSet<>();
        DriverLibrary.CALLED_BY_JCUDA.forEach(symbol -> checked.add(symbol.replaceFirst("_v\\d$", "")));
        assertThat(checked).isEqualTo(calledFunctions());
    }

    @Test
    void namesAreThoseThatTheNativeCodeOfJCudaImports() throws IOException {
        String name = System.mapLibraryName(LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get()));
        Path library = Path.of(System.getProperty("java.library.path")).resolve(name);
        String bytes = Files.readString(library, StandardCharsets.ISO_8859_1);
        assertThat(DriverLibrary.CALLED_BY_JCUDA).allSatisfy(symbol -> {
            assertThat(bytes).contains("\0" + symbol + "\0");
            assertThat(bytes).doesNotContain("\0" + symbol + "_v2\0");
        });
    }

    private static Set<String> calledFunctions() throws IOException, URISyntaxException {
        Path classes = Path.of(CudaDevice.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .toURI())
                .resolve(CudaDevice.class.getPackageName().replace('.', '/'));
        Set<String> called = new TreeSet<>();
        try (Stream<Path> files = Files.list(classes)) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith(".class")).toList()) {
                collectCalls(ClassFile.of().parse(file), called);
            }
        }
        return called;
    }

    private static void collectCalls(ClassModel model, Set<String> called) {
        model.methods().stream()
                .flatMap(method -> method.code().stream())
                .flatMap(code -> code.elementStream())
                .forEach((CodeElement element) -> {
                    if (element instanceof InvokeInstruction invoke
                            && invoke.owner().asInternalName().equals("jcuda/driver/JCudaDriver")) {
                        called.add(invoke.name().stringValue());
                    }
                });
    }
}
