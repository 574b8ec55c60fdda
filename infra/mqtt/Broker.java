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

    /** Stores per kind. HiveMQ's own 64 are for many cores; 4 open a second sooner. Fixed: data are spread over them. */
    private static final int BUCKETS = 4;

    public static void main(String[] arguments) throws Exception {
        Path home = Paths.get(arguments[0]);
        tune();
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

    /** Settings that config.xml does not reach. Durability is as HiveMQ ships it: an acknowledged message is logged. */
    private static void tune() {
        InternalConfigurations.MAX_INFLIGHT_WINDOW_SIZE_MESSAGES = INFLIGHT_MESSAGES;
        InternalConfigurations.PUBLISH_POLL_BATCH_SIZE = INFLIGHT_MESSAGES;
        InternalConfigurations.PERSISTENCE_BUCKET_COUNT.set(BUCKETS);
        InternalConfigurations.PAYLOAD_PERSISTENCE_BUCKET_COUNT.set(BUCKETS);
        // The write-ahead log keeps the payloads; flushing the tables by hand on top costs a third of the rate.
        InternalConfigurations.PUBLISH_PAYLOAD_FORCE_FLUSH_ENABLED.set(false);
        InternalConfigurations.PERSISTENCE_SHUTDOWN_GRACE_PERIOD_MSEC.set(200);
    }
}
