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
import java.io.ObjectInputStream;

/** What may know what. */
@AnalyzeClasses(packages = "io.layerskip", importOptions = ImportOption.DoNotIncludeTests.class)
class LayeringTest {

    private static final String MODEL = "io.layerskip.model..";
    private static final String FORWARD = "io.layerskip.forward..";
    private static final String ENGINE = "io.layerskip.engine..";
    private static final String FLINK = "io.layerskip.flink..";
    private static final String CONNECTORS = "io.layerskip.connectors..";
    private static final String JOBS = "io.layerskip.jobs..";

    @ArchTest
    static final ArchRule theModelKnowsNothingAboveIt =
            noClasses()
                    .that()
                    .resideInAPackage(MODEL)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(FORWARD, ENGINE, FLINK, CONNECTORS, JOBS);

    @ArchTest
    static final ArchRule aPassKnowsNotWhoTakesIt =
            noClasses()
                    .that()
                    .resideInAPackage(FORWARD)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(ENGINE, FLINK, CONNECTORS, JOBS);

    @ArchTest
    static final ArchRule modelForwardAndEngineKnowNeitherFlinkNorKafka =
            noClasses()
                    .that()
                    .resideInAnyPackage(MODEL, FORWARD, ENGINE)
                    .should()
                    .dependOnClassesThat(
                            resideInAnyPackage("org.apache.flink..", "org.apache.kafka..")
                                    .and(not(resideInAPackage("org.apache.flink.annotation"))));

    @ArchTest
    static final ArchRule theEngineKnowsNothingAboveIt =
            noClasses()
                    .that()
                    .resideInAPackage(ENGINE)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(FLINK, CONNECTORS, JOBS);

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
                    .resideInAPackage(FLINK)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            CONNECTORS,
                            JOBS,
                            "org.apache.kafka..",
                            "org.apache.flink.connector.kafka..");

    @ArchTest
    static final ArchRule connectorsKnowNoJob =
            noClasses()
                    .that()
                    .resideInAPackage(CONNECTORS)
                    .should()
                    .dependOnClassesThat()
                    .resideInAPackage(JOBS);

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
