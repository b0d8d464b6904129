package io.layerskip.model;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.Arrays;

/** As Flink's class loaders of user code are: none of our classes or libraries from the parent. */
public final class IsolatedClassLoader {

    private IsolatedClassLoader() {}

    /** A class loader that loads the tests' class path once more. */
    public static URLClassLoader create() {
        URL[] classPath =
                Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                        .map(IsolatedClassLoader::url)
                        .toArray(URL[]::new);
        return new URLClassLoader(classPath, ClassLoader.getPlatformClassLoader());
    }

    private static URL url(String entry) {
        try {
            return new File(entry).toURI().toURL();
        } catch (MalformedURLException e) {
            throw new IllegalArgumentException(entry, e);
        }
    }
}
