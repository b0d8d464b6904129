package io.layerskip.tests;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.io.ObjectInputStream;

/** What may know what. */
@AnalyzeClasses(packages = "io.layerskip", importOptions = ImportOption.DoNotIncludeTests.class)
class LayeringTest {

    private static final String MODEL = "io.layerskip.model..";
    private static final String ENGINE = "io.layerskip.engine..";
    private static final String FLINK = "io.layerskip.flink..";
    private static final String CONNECTORS = "io.layerskip.connectors..";
    private static final String JOBS = "io.layerskip.jobs..";
    private static final String LOCAL = "io.layerskip.local..";
    private static final String BENCH = "io.layerskip.bench..";
    private static final String CLI = "io.layerskip.cli..";

    @ArchTest
    static final ArchRule theModelKnowsNothingAboveIt =
            noClasses()
                    .that()
                    .resideInAPackage(MODEL)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            ENGINE,
                            FLINK,
                            CONNECTORS,
                            JOBS,
                            LOCAL,
                            BENCH,
                            CLI,
                            "org.apache.flink..",
                            "org.apache.kafka..");

    @ArchTest
    static final ArchRule theEngineKnowsNeitherFlinkNorKafka =
            noClasses()
                    .that()
                    .resideInAPackage(ENGINE)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            FLINK,
                            CONNECTORS,
                            JOBS,
                            LOCAL,
                            BENCH,
                            CLI,
                            "org.apache.flink..",
                            "org.apache.kafka..");

    @ArchTest
    static final ArchRule theFlinkFunctionKnowsNoKafka =
            noClasses()
                    .that()
                    .resideInAPackage(FLINK)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            CONNECTORS,
                            JOBS,
                            LOCAL,
                            BENCH,
                            CLI,
                            "org.apache.kafka..",
                            "org.apache.flink.connector.kafka..");

    @ArchTest
    static final ArchRule connectorsKnowNoJob =
            noClasses()
                    .that()
                    .resideInAPackage(CONNECTORS)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(JOBS, LOCAL, BENCH, CLI);

    @ArchTest
    static final ArchRule theJobKnowsNoCommandLineBenchmarkOrBroker =
            noClasses()
                    .that()
                    .resideInAPackage(JOBS)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            LOCAL,
                            BENCH,
                            CLI,
                            "kafka..",
                            "org.apache.kafka.metadata..",
                            "org.apache.kafka.server..");

    @ArchTest
    static final ArchRule theLocalJobKnowsNeitherBenchmarkNorCommandLine =
            noClasses()
                    .that()
                    .resideInAPackage(LOCAL)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(BENCH, CLI);

    @ArchTest
    static final ArchRule theBenchmarkKnowsNoCommandLine =
            noClasses()
                    .that()
                    .resideInAPackage(BENCH)
                    .should()
                    .dependOnClassesThat()
                    .resideInAPackage(CLI);

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
}
