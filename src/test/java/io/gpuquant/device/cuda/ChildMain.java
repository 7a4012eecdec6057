package io.gpuquant.device.cuda;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.opentest4j.TestAbortedException;

/** The other side of {@link ChildJvm}. */
final class ChildMain {

    private ChildMain() {}

    /** Runs the methods of the class {@code arguments[0]} that are named on standard input, until it ends. */
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        Class<?> testClass = Class.forName(arguments[0]);
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String method = requests.readLine(); method != null; method = requests.readLine()) {
            answers.println(run(testClass, method));
            answers.flush();
        }
    }

    private static String run(Class<?> testClass, String name) throws Exception {
        try {
            Constructor<?> constructor = testClass.getDeclaredConstructor();
            constructor.setAccessible(true);
            Method method = testClass.getDeclaredMethod(name);
            method.setAccessible(true);
            method.invoke(constructor.newInstance());
            return "PASS";
        } catch (InvocationTargetException e) {
            Throwable cause = Objects.requireNonNull(e.getCause());
            return cause instanceof TestAbortedException
                    ? answer("ABORT", String.valueOf(cause.getMessage()))
                    : answer("FAIL", stackTrace(cause));
        }
    }

    private static String answer(String word, String text) {
        List<String> lines = text.lines().toList();
        return word + " " + lines.size() + "\n" + String.join("\n", lines);
    }

    private static String stackTrace(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }
}
