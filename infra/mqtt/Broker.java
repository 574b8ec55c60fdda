import com.hivemq.configuration.service.InternalConfigurations;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.embedded.internal.EmbeddedHiveMQBuilderImpl;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.CountDownLatch;

/** Runs HiveMQ Community Edition from one directory: conf/config.xml, data/ and extensions/ (empty). */
public final class Broker {

    /** As Mosquitto's max_inflight_messages: HiveMQ's own 50 starves a subscriber that acknowledges in batches. */
    private static final int INFLIGHT_MESSAGES = 1000;

    public static void main(String[] arguments) throws Exception {
        Path home = Paths.get(arguments[0]);
        InternalConfigurations.MAX_INFLIGHT_WINDOW_SIZE_MESSAGES = INFLIGHT_MESSAGES;
        InternalConfigurations.PUBLISH_POLL_BATCH_SIZE = INFLIGHT_MESSAGES;
        final EmbeddedHiveMQ broker = new EmbeddedHiveMQBuilderImpl()
                .withConfigurationFolder(home.resolve("conf"))
                .withDataFolder(home.resolve("data"))
                .withExtensionsFolder(home.resolve("extensions"))
                .withoutLoggingBootstrap()
                .build();
        Runtime.getRuntime().addShutdownHook(new Thread() {
            @Override
            public void run() {
                broker.stop().join();
            }
        });
        broker.start().join();
        new CountDownLatch(1).await();
    }
}
