const answer = await Promise.resolve(42);
export const handler = async () => answer;
