await new Promise((resolve) => setTimeout(resolve, Number(process.env.LOAD_MS)));
export const handler = async () => "loaded";
