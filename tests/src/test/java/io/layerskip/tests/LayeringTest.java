package io.layerskip.tests;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.CompositeArchRule;
import java.io.ObjectInputStream;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;

/** What may know what. */
@AnalyzeClasses(packages = "io.layerskip", importOptions = ImportOption.DoNotIncludeTests.class)
class LayeringTest {

    private static final String MODEL = "io.layerskip.model..";
    private static final String CHAT = "io.layerskip.chat..";
    private static final String FORWARD = "io.layerskip.forward..";
    private static final String ENGINE = "io.layerskip.engine..";
    private static final String REMOTE = "io.layerskip.remote..";
    private static final String FLINK = "io.layerskip.flink..";
    private static final String CONNECTORS = "io.layerskip.connectors..";
    private static final String SQL = "io.layerskip.sql..";
    private static final String JOBS = "io.layerskip.jobs..";
    private static final String LOCAL = "io.layerskip.local..";
    private static final String BENCH = "io.layerskip.bench..";
    private static final String CLI = "io.layerskip.cli..";

    @ArchTest
    static final ArchRule packagesKnowOnlyThoseBelowThem =
            fromTheBottom(
                    MODEL,
                    CHAT,
                    FORWARD,
                    ENGINE,
                    REMOTE,
                    FLINK,
                    CONNECTORS,
                    SQL,
                    JOBS,
                    LOCAL,
                    BENCH,
                    CLI);

    @ArchTest
    static final ArchRule modelChatForwardAndEngineKnowNeitherFlinkNorKafka =
            noClasses()
                    .that()
                    .resideInAnyPackage(MODEL, CHAT, FORWARD, ENGINE)
                    .should()
                    .dependOnClassesThat(
                            resideInAnyPackage("org.apache.flink..", "org.apache.kafka..")
                                    .and(not(resideInAPackage("org.apache.flink.annotation"))));

    @ArchTest
    static final ArchRule onlyAPassUsesOnnxRuntime =
            noClasses()
                    .that()
                    .resideOutsideOfPackage(FORWARD)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage("ai.onnxruntime..", "ai.onnx..");

    @ArchTest
    static final ArchRule theFlinkFunctionKnowsNoKafka =
            noClasses()
                    .that()
                    .resideInAnyPackage(REMOTE, FLINK)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage("org.apache.kafka..", "org.apache.flink.connector.kafka..");

    @ArchTest
    static final ArchRule theModelProviderKnowsOnlyTheOperator =
            noClasses()
                    .that()
                    .resideInAPackage(SQL)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(CONNECTORS, "org.apache.kafka..");

    @ArchTest
    static final ArchRule theJobKnowsNoBroker =
            noClasses()
                    .that()
                    .resideInAPackage(JOBS)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            "kafka..", "org.apache.kafka.metadata..", "org.apache.kafka.server..");

    @ArchTest
    static final ArchRule whatIsPublicSaysWhetherItIsApi =
            classes()
                    .that()
                    .resideInAnyPackage(
                            MODEL, CHAT, FORWARD, ENGINE, REMOTE, FLINK, CONNECTORS, SQL)
                    .and()
                    .arePublic()
                    .and()
                    .areTopLevelClasses()
                    .should()
                    .beAnnotatedWith(PublicEvolving.class)
                    .orShould()
                    .beAnnotatedWith(Internal.class);

    @ArchTest
    static final ArchRule internalsStayInside =
            classes()
                    .that()
                    .resideInAPackage("io.layerskip.connectors.internal..")
                    .should()
                    .onlyBeAccessed()
                    .byAnyPackage(CONNECTORS);

    @ArchTest
    static final ArchRule nothingIsReadByJavaSerialization =
            noClasses().should().dependOnClassesThat().areAssignableTo(ObjectInputStream.class);

    private static ArchRule fromTheBottom(String... packages) {
        List<ArchRule> rules =
                IntStream.range(0, packages.length - 1)
                        .mapToObj(
                                i ->
                                        (ArchRule)
                                                noClasses()
                                                        .that()
                                                        .resideInAPackage(packages[i])
                                                        .should()
                                                        .dependOnClassesThat()
                                                        .resideInAnyPackage(above(packages, i)))
                        .toList();
        return CompositeArchRule.of(rules);
    }

    private static String[] above(String[] packages, int i) {
        return Arrays.copyOfRange(packages, i + 1, packages.length);
    }
}
